"""Tables on engines: Parquet files and pyarrow datasets, DuckDB relations, Dask DataFrames."""
