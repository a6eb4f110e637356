"""Derived values: numbers computed from other values, with their derivatives, wherever a model may name a value.

A model's table of nodes is in its head (`record.node_table`). After `constrain_head` has filled `values`,
`fill_derived` runs the nodes in order; before `pull_back_head`, `pull_back_derived` runs them backwards and adds to the
adjoints of what they read. Both go through pointers, so that a model without nodes compiles nothing of this.

To add an operation:

1. a code at the end of the list in `record/node_table.py`;
2. a file here with two kernels: ``fill_<name>(values, inputs, n_inputs, out, n_out)`` overwrites its outputs and
   returns what it adds to the log density (0.0 for most; a log-Jacobian, a prior), and ``pull_back_<name>``, with
   `adjoint` after `values`, adds to the adjoints of the inputs. `inputs` holds indices into `values`. Fixed numbers are
   inputs, too: there are no other constants. Kernels allocate nothing. The docstring has the formula and its source.
   Numbers stay finite wherever the formula's value is, at the ends of doubles too;
3. a branch in each of the two functions of `program.py`, and a line in its `OPERATIONS`: the operation in words, and
   the fast ways that may serve models which have it;
4. a case in `tests/test_nodes.py`, which compares all that is pulled back with differences.

What makes a model (a prior, a kind of term) asks `HeadBuilder.derive` for a node, and gets references to its outputs.
"""
