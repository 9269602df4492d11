'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.expired', 'Triggers when a pass expires.');
