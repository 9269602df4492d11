'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('tier.changed', 'Triggers when a pass moves to another tier.');
