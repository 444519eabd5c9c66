"""How weights are fitted: optimisers, schedules, the Lightning module, and the run folder."""
