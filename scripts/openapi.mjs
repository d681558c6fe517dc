// Writes openapi.yaml from the routes of the service, as compiled. With --check it writes nothing, and fails
// when the file is not what the routes give.
import { readFileSync, writeFileSync } from 'node:fs'

import { buildApp } from '../dist/src/app.js'
import { loadConfig } from '../dist/src/config/load.js'

const file = new URL('../openapi.yaml', import.meta.url)

const generated = await generate()
if (process.argv.includes('--check')) compare(readFileSync(file, 'utf8'), generated)
else writeFileSync(file, generated)

/** The settings are needed to build the service; none of them shows in the document. */
async function generate() {
  const settings = {
    OIDC_ISSUER: 'http://127.0.0.1:1',
    OIDC_AUDIENCE: 'openapi',
    DATABASE_URL: 'memory://',
    LOG_LEVEL: 'silent'
  }
  const app = await buildApp(loadConfig(settings, () => ''))
  const { body } = await app.inject('/openapi.yaml')
  await app.close()
  return body
}

function compare(committed, expected) {
  if (committed === expected) return
  const found = committed.split('\n')
  const wanted = expected.split('\n')
  const line = found.concat(wanted).findIndex((_, index) => found[index] !== wanted[index])
  console.error(
    [
      `openapi.yaml:${line + 1} is not what the routes give; \`node scripts/openapi.mjs\` writes it anew.`,
      `- ${found[line] ?? ''}`,
      `+ ${wanted[line] ?? ''}`
    ].join('\n')
  )
  process.exitCode = 1
}
