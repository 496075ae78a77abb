module.exports = { name: require('./name.json').name };
