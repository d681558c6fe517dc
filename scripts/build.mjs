// Compiles the project into dist/. With --unless-installed-for-production a tree without the compiler
// (npm ci --omit=dev) keeps the dist/ that it was shipped with.
import { existsSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = new URL('../', import.meta.url)
const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))
const built = fileURLToPath(new URL('dist', root))

if (existsSync(compiler)) {
  rmSync(built, { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [compiler], { cwd: root, stdio: 'inherit' })
  process.exitCode = status ?? 1
} else if (!process.argv.includes('--unless-installed-for-production') || !existsSync(built)) {
  console.error(
    'dist/ can not be built: the compiler is missing. Run `npm ci` with development dependencies first.'
  )
  process.exitCode = 1
}
