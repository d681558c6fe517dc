import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const executable = '/usr/bin/chromium'

/** Why a test in the browser can't run here; `false` where it can, and on CI, where it must. */
export const noChromium =
  existsSync(executable) || process.env['CI'] === 'true' ? false : `${executable} is not installed`

/** A page in a headless Chromium of its own, driven by the DevTools protocol. */
export interface Page {
  /** The addresses that the page asked for so far. */
  readonly requests: readonly string[]
  /** What its console complained of so far, violations of the content security policy included. */
  readonly complaints: readonly string[]
  /** The value of an expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>
  close(): Promise<void>
}

/** Opens `address` with a fresh profile. */
export async function openPage(address: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
  const browser = spawn(executable, [...flags, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']
  })
  const exited = new Promise((resolve) => browser.once('exit', resolve))
  const [, , , input, output] = browser.stdio
  const requests: string[] = []
  const complaints: string[] = []
  const call = connect(input as Writable, output as Readable, ({ request, entry }) => {
    if (request !== undefined) requests.push(request.url)
    if (entry !== undefined) complaints.push(entry.text)
  })

  const { targetId } = await call('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true })
  await call('Network.enable', {}, sessionId)
  await call('Log.enable', {}, sessionId)
  await call('Page.navigate', { url: address }, sessionId)

  return {
    requests,
    complaints,
    async evaluate(expression) {
      const options = { expression, awaitPromise: true, returnByValue: true }
      const { result } = await call('Runtime.evaluate', options, sessionId)
      return result?.value
    },
    async close() {
      await call('Browser.close', {})
      await exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-pipe'
]

/** The members that are used here of what the browser sends. */
interface Result {
  readonly targetId?: string
  readonly sessionId?: string
  readonly result?: { readonly value?: unknown }
}
interface Event {
  readonly request?: { readonly url: string }
  readonly entry?: { readonly text: string }
}
interface Message {
  readonly id?: number
  readonly result?: Result
  readonly params?: Event
}

/** Calls over the pipes of the browser: JSON messages with a zero byte after each. */
function connect(input: Writable, output: Readable, onEvent: (event: Event) => void) {
  const waiting = new Map<number, (result: Result) => void>()
  let buffered = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (buffered + chunk).split('\0')
    buffered = texts.pop() ?? ''
    for (const text of texts) {
      const { id, result = {}, params } = JSON.parse(text) as Message
      if (id !== undefined) waiting.get(id)?.(result)
      else if (params !== undefined) onEvent(params)
    }
  })
  let lastId = 0
  return async (method: string, params: object, sessionId?: string): Promise<Result> => {
    lastId += 1
    const id = lastId
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    return new Promise((resolve) => waiting.set(id, resolve))
  }
}
