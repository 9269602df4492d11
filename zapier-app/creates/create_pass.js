'use strict';

const { action } = require('../lib/action');

module.exports = action('create_pass');
