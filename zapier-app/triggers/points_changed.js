'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('points.changed', 'Triggers when the balance of a membership changes.');
