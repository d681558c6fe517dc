// Runs the tests with tap, then closes with one plain line that counts them: N passed, N failed[, N skipped].
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Parser } from 'tap-parser'

const folder = mkdtempSync(join(tmpdir(), 'latchkey-test-'))
const output = join(folder, 'results.tap')
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/tap/dist/esm/run.mjs',
    '--reporter=terse',
    `--output-file=${output}`,
    ...process.argv.slice(2)
  ],
  { stdio: 'inherit' }
)
const results = Parser.parse(readFileSync(output, 'utf8'), { flat: true })
  .filter(([event]) => event === 'assert')
  .map(([, assert]) => assert)
rmSync(folder, { recursive: true, force: true })

const failed = results.filter(({ ok, todo }) => !ok && !todo).length
const skipped = results.filter(({ skip }) => skip).length
const passed = results.length - failed - skipped
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = status === 0 && failed > 0 ? 1 : (status ?? 1)
