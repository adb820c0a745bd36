// Makes the package: its own modules, and those of the service's page that they import, as `npm pack` wants them.
//
//   node packages/npm/pack.mjs FOLDER      puts file-share-client-VERSION.tgz into FOLDER, and what is in it beside it
//
// Invariant: a module of the page is taken as it is in web/. Only the way to it is another, for which every import
// stands in one form; an import of anything else ends this.

import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const ROOT = path.join(HERE, '../..');
const WEB = '../../../web/';
const ENTRIES = ['index.js', 'drop.js'];
// `import … from '…';`, `export … from '…';` and `import '…';`, at the beginning of a line.
const IMPORT = /^(?:import|export)\b(?:[^;'=]*?\bfrom)? '([^']+)';$/gm;

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node packages/npm/pack.mjs FOLDER');
  process.exit(2);
}
const out = path.join(path.resolve(folder), 'npm');

await rm(out, { recursive: true, force: true });
await mkdir(path.join(out, 'web'), { recursive: true });
const taken = new Set();
for (const entry of ENTRIES) {
  await take(path.join(HERE, 'src'), entry, '');
}
for (const name of await readdir(path.join(HERE, 'src'))) {
  if (name.endsWith('.d.ts')) {
    await cp(path.join(HERE, 'src', name), path.join(out, name));
  } else if (!taken.has(name)) {
    throw new Error(`nothing imports src/${name}`);
  }
}
for (const [from, to] of [['package.json'], ['README.md'], ['../../LICENSE', 'LICENSE']]) {
  await cp(path.join(HERE, from), path.join(out, to ?? from));
}
// On Windows npm is a script that only a shell starts; nobody builds there.
const options = ['pack', '--ignore-scripts', '--offline', '--json', '--pack-destination', path.resolve(folder)];
const { stdout } = await promisify(execFile)('npm', options, { cwd: out });
console.log(path.join(path.resolve(folder), JSON.parse(stdout)[0].filename));

// Takes a module, and all that it imports.
async function take(from, name, to) {
  if (taken.has(to + name)) {
    return;
  }
  taken.add(to + name);
  const source = await readFile(path.join(from, name), 'utf8');
  if (/\bimport\(|\brequire\(/.test(source)) {
    throw new Error(`${name} fetches modules when it runs`);
  }
  const found = [];
  const text = source.replace(IMPORT, (statement, target) => {
    found.push(target);
    return statement.replace(target, target.replace(WEB, './web/'));
  });
  await writeFile(path.join(out, to, name), text);
  for (const target of found) {
    const isOfWeb = target.startsWith(WEB) || to !== '';
    const module = target.replace(WEB, './').slice(2);
    if (!/^[a-z0-9_]+\.js$/.test(module)) {
      throw new Error(`${name} imports ${target}`);
    }
    await (isOfWeb ? take(path.join(ROOT, 'web'), module, 'web/') : take(from, module, ''));
  }
}
