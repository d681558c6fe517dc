#!/usr/bin/env node
// npx links this file once, at its first call. dist/ may not be there yet, and a link to nothing is never mended.
import { existsSync } from 'node:fs'

const cli = new URL('../dist/service/cli.js', import.meta.url)

if (existsSync(cli)) {
  await import(cli.href)
} else {
  console.error('latchkey: not built yet: run npm start, or npm run build, first')
  process.exitCode = 1
}
