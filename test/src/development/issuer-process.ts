import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { DevelopmentIssuerOptions } from '../../../src/development/issuer.ts'

const moduleUrl = new URL('../../../src/development/issuer.js', import.meta.url)

// Answers every request for oidc-provider as an install without it does, and says that it was asked.
const withoutProvider = `
  import { writeSync } from 'node:fs'
  export async function resolve(specifier, context, next) {
    if (!specifier.startsWith('oidc-provider')) return next(specifier, context)
    writeSync(2, 'oidc-provider was asked for')
    throw Object.assign(new Error('no ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
  }`

/** Starts a development issuer in a process of its own, which ends when its input does. */
export async function startIssuerProcess(options: DevelopmentIssuerOptions) {
  const child = run(`
    const issuer = await startDevelopmentIssuer(${JSON.stringify(options)})
    console.log(JSON.stringify(issuer))
    process.stdin.resume().on('end', () => issuer.close())`)
  const errors = text(child.stderr)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const output = text(child.stdout)

  /** Stops it and returns what it wrote after its start. */
  async function stop(): Promise<string> {
    child.stdin.end()
    return `${await output}${await errors}`
  }
  return { ...(JSON.parse(line.toString()) as { issuer: string; clientSecret: string }), stop }
}

/** Tries to start a development issuer where oidc-provider isn't installed; returns what the process wrote. */
export async function tryWithoutProvider(environment: Record<string, string>): Promise<string> {
  const hook = `data:text/javascript,${encodeURIComponent(withoutProvider)}`
  const child = run(
    `
    const { register } = await import('node:module')
    register(${JSON.stringify(hook)})
    await startDevelopmentIssuer({ audience: 'api', scopes: [] })
      .catch(({ name, message }) => console.log(name + ': ' + message))`,
    environment
  )
  child.stdin.end()
  return `${await text(child.stdout)}${await text(child.stderr)}`
}

function run(script: string, environment: Record<string, string> = {}) {
  const source = `const { startDevelopmentIssuer } = await import('${moduleUrl.href}');${script}`
  const env = { ...process.env, ...environment }
  return spawn(process.execPath, ['--input-type=module', '-e', source], { env })
}
