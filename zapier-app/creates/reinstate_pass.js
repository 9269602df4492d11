'use strict';

const { action } = require('../lib/action');

module.exports = action('reinstate_pass');
