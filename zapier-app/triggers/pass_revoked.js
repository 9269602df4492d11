'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.revoked', 'Triggers when a pass is revoked.');
