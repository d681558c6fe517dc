// Compiles the project into dist/. With --unless-installed-for-production a tree without the compiler
// (npm ci --omit=dev) keeps the dist/ that it was shipped with.
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = new URL('../', import.meta.url)
const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))
const built = fileURLToPath(new URL('dist', root))

if (existsSync(compiler)) {
  rmSync(built, { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [compiler], { cwd: root, stdio: 'inherit' })
  // npx links the package itself and sets the bit only once
  if (status === 0) chmodSync(new URL('dist/src/cli.js', root), 0o755)
  process.exitCode = status ?? 1
} else if (!process.argv.includes('--unless-installed-for-production') || !existsSync(built)) {
  console.error(
    'dist/ can not be built: the compiler is missing. Run `npm ci` with development dependencies first.'
  )
  process.exitCode = 1
}
