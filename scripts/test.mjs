// Runs the tests with tap, then closes with one plain line that counts them: N passed, N failed; skipped tests stand above it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Parser } from 'tap-parser'

const folder = mkdtempSync(join(tmpdir(), 'latchkey-test-'))
const output = join(folder, 'results.tap')
// tap's reporters draw on a terminal and stay mute without one: then the failures are printed below
const reporter = process.stdout.isTTY ? 'terse' : 'silent'
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/tap/dist/esm/run.mjs',
    `--reporter=${reporter}`,
    `--output-file=${output}`,
    ...process.argv.slice(2)
  ],
  { stdio: 'inherit' }
)
const results = Parser.parse(readFileSync(output, 'utf8'), { flat: true })
  .filter(([event]) => event === 'assert')
  .map(([, assert]) => assert)
rmSync(folder, { recursive: true, force: true })

const failures = results.filter(({ ok, todo }) => !ok && !todo)
if (reporter === 'silent') for (const { fullname, diag } of failures) console.log(fullname, diag)
const failed = failures.length
const skipped = results.filter(({ skip }) => skip).length
const passed = results.length - failed - skipped
for (const { skip, fullname } of results) if (skip) console.log(`skipped: ${fullname}: ${skip}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = status === 0 && failed > 0 ? 1 : (status ?? 1)
