// Compiles input/fsh with SUSHI, offline: the R4 package that SUSHI wants is laid out from the definitions of npm hl7.fhir.r4.examples.
// Writes generated/*.json; `--check` writes nothing and exits 1 where a file differs.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const work = path.join(root, 'node_modules', '.pmr-build');
const core = path.join(work, 'home', '.fhir', 'packages', 'hl7.fhir.r4.core#4.0.1', 'package');
const source = path.join(root, 'node_modules', 'hl7.fhir.r4.examples');

function layOutCore() {
  if (fs.existsSync(path.join(core, 'package.json'))) return;
  fs.mkdirSync(core, { recursive: true });
  for (const file of fs.readdirSync(source)) {
    if (/^(ValueSet|CodeSystem)-/.test(file)) fs.copyFileSync(path.join(source, file), path.join(core, file));
  }
  for (const bundle of ['Bundle-types.json', 'Bundle-resources.json', 'Bundle-extensions.json']) {
    for (const { resource } of JSON.parse(fs.readFileSync(path.join(source, bundle), 'utf8')).entry) {
      if (resource.resourceType !== 'StructureDefinition') continue;
      fs.writeFileSync(path.join(core, `StructureDefinition-${resource.id}.json`), JSON.stringify(resource));
    }
  }
  const manifest = {
    name: 'hl7.fhir.r4.core',
    version: '4.0.1',
    fhirVersions: ['4.0.1'],
    type: 'Core',
    canonical: 'http://hl7.org/fhir',
    url: 'http://hl7.org/fhir/R4',
  };
  fs.writeFileSync(path.join(core, 'package.json'), JSON.stringify(manifest));
}

function compile() {
  const out = path.join(work, 'out');
  fs.rmSync(out, { recursive: true, force: true });
  const sushi = path.join(root, 'node_modules', 'fsh-sushi', 'dist', 'app.js');
  try {
    const env = { ...process.env, HOME: path.join(work, 'home') };
    execFileSync(process.execPath, [sushi, 'build', '-s', '-o', out, root], { env, stdio: 'pipe' });
  } catch (e) {
    throw new Error(`SUSHI failed:\n${e.stdout}\n${e.stderr}`);
  }
  const resources = path.join(out, 'fsh-generated', 'resources');
  return Object.fromEntries(fs.readdirSync(resources).sort().map((f) => [f, fs.readFileSync(path.join(resources, f), 'utf8') + '\n']));
}

layOutCore();
const generated = path.join(root, 'generated');
const check = process.argv.includes('--check');
let differs = false;
if (!check) {
  fs.rmSync(generated, { recursive: true, force: true });
  fs.mkdirSync(generated);
}
for (const [name, text] of Object.entries(compile())) {
  const file = path.join(generated, name);
  if (!check) fs.writeFileSync(file, text);
  else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
    differs = true;
    console.error(`generated/${name} is not what input/fsh compiles to: run 'npm run build' in fhir-profiles/`);
  }
}
process.exit(differs ? 1 : 0);
