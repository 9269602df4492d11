'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.created', 'Triggers when a pass is created.');
