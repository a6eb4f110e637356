"""Independent work: `threads` share rows, a user's executor shares `tasks`; `pools` has what is known of its kinds."""

from nutslite._parallel.pools import workers_of
from nutslite._parallel.tasks import check_executor, run_on
from nutslite._parallel.threads import available_cpus, run_in_parts, run_where_it_pays

__all__ = ["available_cpus", "check_executor", "run_in_parts", "run_on", "run_where_it_pays", "workers_of"]
