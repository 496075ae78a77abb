// Child side of jest-worker.
exports.add = (a, b) => a + b;
exports.echo = (value) => value;
