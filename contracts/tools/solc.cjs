#!/usr/bin/env node
// forge runs this as its compiler: the npm build of solc, so that nothing is downloaded.
'use strict';
const fs = require('fs');

const args = process.argv.slice(2);
if (args.includes('--version')) {
  // The compiler itself takes seconds to load, and forge asks more than once.
  process.stdout.write('solc, the solidity compiler commandline interface\nVersion: ' + require('solc/package.json').version + '\n');
} else if (args.includes('--standard-json')) {
  process.stdout.write(require('solc').compile(fs.readFileSync(0, 'utf8')));
} else {
  process.stderr.write('unsupported arguments: ' + args.join(' ') + '\n');
  process.exit(2);
}
