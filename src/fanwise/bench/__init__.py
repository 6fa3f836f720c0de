"""The benchmarks: what fanwise costs, next to what the same job costs without it.

Each module that `suite.BENCHMARKS` names measures one thing: `compare` returns frozen figures,
`render` what a terminal shows of them, and `budgets` what was promised. Both sides run in the same
process or in like ones, in alternation, and figures are medians over the rounds, since machines are
noisy; ratios matter, absolute figures are this machine's.
"""
