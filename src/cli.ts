import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { ConfigError } from './config/error.ts'
import { DevelopmentIssuerError } from './development/errors.ts'
import { readIssuerFile, type IssuerFile } from './development/issuer-file.ts'
import { mintClientToken, mintUserToken } from './development/mint-token.ts'

const usage = `Usage: latchkey <command> [options]

  serve    run the service, configured as npm start is
  token    print an access token of the development issuer
             --user <name>     ada (default) or grace
             --client          a token of the client latchkey-machine, without a user
             --scope <scopes>  separated by spaces; default: all of the API
             --issuer <url>    default: OIDC_ISSUER, or the one that runs with DATA_DIR

  --help, -h, --version
`

const userScope = 'openid profile email documents:read documents:write'
const clientScope = 'documents:read documents:write'
const defaultIssuer = 'http://127.0.0.1:3001'

/** A command line that makes no sense. */
class UsageError extends Error {}

const commands: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  serve,
  token,
  '--version': async () => print(`${version()}\n`)
}

try {
  await run(process.argv.slice(2))
} catch (error) {
  if (!isExpected(error)) throw error
  process.stderr.write(`latchkey: ${error.message}\n`)
  process.exitCode = 1
}

/** What is said in one line; all else is our own bug. */
function isExpected(error: unknown): error is Error {
  return [UsageError, ConfigError, DevelopmentIssuerError].some((kind) => error instanceof kind)
}

async function run([name, ...args]: string[]): Promise<void> {
  if (name === 'help' || [name, ...args].some(isHelpFlag)) return print(usage)
  const command = Object.entries(commands).find(([known]) => known === name)?.[1]
  if (command === undefined) {
    const found = name === undefined ? 'no command' : `unknown command ${name}`
    throw new UsageError(`${found} (usage: latchkey serve | token | --help | --version)`)
  }
  await command(args)
}

function isHelpFlag(argument: string | undefined): boolean {
  return argument === '--help' || argument === '-h'
}

async function serve(args: string[]): Promise<void> {
  if (args.length > 0) throw new UsageError('serve takes no options (usage: latchkey serve)')
  const { main } = await import('./main.ts')
  await main()
}

async function token(args: string[]): Promise<void> {
  const options = tokenOptions(args)
  const dataDir = process.env['DATA_DIR'] ?? './data'
  const file = await readIssuerFile(dataDir)
  const issuer = options.issuer ?? process.env['OIDC_ISSUER'] ?? file?.issuer ?? defaultIssuer
  const { scope = options.client ? clientScope : userScope, user = 'ada' } = options
  const minted = options.client
    ? mintClientToken({ issuer, scope, clientSecret: secretOf(file, dataDir) })
    : mintUserToken({ issuer, scope, user })
  print(`${await minted}\n`)
}

function tokenOptions(args: string[]) {
  const { values } = parseTokenArguments(args)
  if (values.client && values.user !== undefined) {
    throw new UsageError('--client and --user exclude each other: such a token has no user')
  }
  return values
}

function parseTokenArguments(args: string[]) {
  try {
    const text = { type: 'string' } as const
    const options = { user: text, scope: text, issuer: text, client: { type: 'boolean' } } as const
    return parseArgs({ args, options })
  } catch (cause) {
    const hint = 'usage: latchkey token [--user ada | --client] [--scope "…"] [--issuer <url>]'
    throw new UsageError(`${(cause as Error).message} (${hint})`, { cause })
  }
}

function secretOf(file: IssuerFile | undefined, dataDir: string): string {
  if (file !== undefined) return file.clientSecret
  throw new UsageError(
    `no client secret in ${dataDir}: run this where the service was started, or set DATA_DIR`
  )
}

function print(text: string): void {
  process.stdout.write(text)
}

function version(): string {
  return (createRequire(import.meta.url)('latchkey/package.json') as { version: string }).version
}
