// Why a target is not met, by the id of the target: written by hand after a profile, shown while the target is missed.
export const WHY = {};
