"""What `sample` takes: compiled functions, C callbacks, functions of Python with a gradient and without."""
