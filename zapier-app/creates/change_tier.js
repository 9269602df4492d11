'use strict';

const { action } = require('../lib/action');

module.exports = action('change_tier');
