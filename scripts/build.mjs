// Compiles the project into dist/, and bundles the service into dist/service/. With --unless-installed-for-production a tree without the compiler
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
  if (status === 0) await bundleService()
} else if (!process.argv.includes('--unless-installed-for-production') || !existsSync(built)) {
  console.error(
    'dist/ can not be built: the compiler is missing. Run `npm ci` with development dependencies first.'
  )
  process.exitCode = 1
}

/**
 * Puts the service and what it imports into few files: reading and linking a thousand takes most of a start. The library
 * stays unbundled. What must stay outside: native addons, files that are read from beside a package or run as a worker,
 * and the development issuer, which a production install lacks.
 */
async function bundleService() {
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: fileURLToPath(root),
    entryPoints: ['dist/src/main.js', 'dist/src/cli.js'],
    outdir: 'dist/service',
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['libsql', 'pg', 'pino', 'ioredis', 'oidc-provider', '@fastify/swagger-ui'],
    // bundled CommonJS packages ask for Node's own modules by require
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);"
    },
    logLevel: 'warning'
  })
}
