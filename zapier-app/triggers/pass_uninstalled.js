'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.uninstalled', 'Triggers when a holder removes a pass from a wallet.');
