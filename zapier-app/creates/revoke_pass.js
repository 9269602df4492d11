'use strict';

const { action } = require('../lib/action');

module.exports = action('revoke_pass', {
  warnings: {
    permanent:
      '**Careful:** a permanent revoke deletes the pass and the data of its holder. It cannot be undone, not even with Reinstate Pass. Leave the next field on False to keep a way back.',
  },
});
