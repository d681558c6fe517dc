import type { IncomingMessage } from 'node:http'
import type { Context, Middleware, Provider } from 'oidc-provider/lib/provider.js'
import type { OidcProvider } from './load-provider.ts'
import { loginPage, messagePage } from './pages.ts'
import { developmentUsers } from './users.ts'

/** Where the provider sends a browser that has to sign in. */
export const interactionPath = '/interaction/'

const bodyLimitBytes = 4096

/** Signs users in without a password, and consents for them: everybody here is a developer. */
export function login(provider: Provider, { SessionNotFound }: OidcProvider): Middleware {
  return async (ctx, next) => {
    if (!ctx.path.startsWith(interactionPath)) return next()
    try {
      await interact(provider, ctx)
    } catch (error) {
      if (!(error instanceof SessionNotFound)) throw error
      ctx.status = 400
      messagePage(ctx, 'Sign in', 'This sign-in is over. Start again from the application.')
    }
  }
}

async function interact(provider: Provider, ctx: Context): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(ctx.req, ctx.res)
  if (prompt.name === 'consent') return resume(provider, ctx, { consent: {} })
  const user = ctx.method === 'POST' ? await chosenUser(ctx.req) : undefined
  if (user === undefined) return loginPage(ctx, params['client_id'] ?? 'the application')
  return resume(provider, ctx, { login: { accountId: user }, consent: {} })
}

async function resume(provider: Provider, ctx: Context, result: object): Promise<void> {
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
  ctx.status = 303
}

async function chosenUser(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  for await (const chunk of request) {
    body += String(chunk)
    if (body.length > bodyLimitBytes) return undefined
  }
  const user = new URLSearchParams(body).get('user') ?? ''
  return developmentUsers.has(user) ? user : undefined
}
