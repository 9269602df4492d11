'use strict';

const { action } = require('../lib/action');

module.exports = action('update_points');
