'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.installed', 'Triggers when a holder adds a pass to a wallet.');
