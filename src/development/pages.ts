import type { Context } from 'oidc-provider/lib/provider.js'
import { developmentUsers } from './users.ts'

// No form-action: browsers apply it to the redirects after a form as well, and those end at the client.
const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/** The page that asks who signs in. The form goes back to where it came from. */
export function loginPage(ctx: Context, clientName: string): void {
  const buttons = [...developmentUsers].map(
    ([subject, { name }]) =>
      `<button name="user" value="${escapeHtml(subject)}">${escapeHtml(String(name))}</button>`
  )
  render(
    ctx,
    'Sign in',
    `<p>Who signs in to ${escapeHtml(clientName)}?</p><form method="post">${buttons.join(' ')}</form>`
  )
}

/** The page where the code of a device is entered. `form` is the provider's, without a button. */
export function deviceCodePage(ctx: Context, form: string, error: Error | undefined): void {
  const hint = error ? 'That did not work: enter the code again.' : 'Enter the code of the device.'
  render(ctx, 'Connect a device', `<p>${hint}</p>${form}${submit('op.deviceInputForm')}`)
}

/** The page that shows the code again before the device is let in (RFC 8628 section 5.4). */
export function deviceConfirmPage(ctx: Context, form: string, userCode: string): void {
  render(
    ctx,
    'Connect a device',
    `<p>Does the device show <code>${escapeHtml(userCode)}</code>?</p>${form}` +
      `${submit('op.deviceConfirmForm')} <button form="op.deviceConfirmForm" name="abort" value="yes">No</button>`
  )
}

/** The page that asks before signing out, so that another site can't do it. */
export function logoutPage(ctx: Context, form: string): void {
  const yes = '<button form="op.logoutForm" name="logout" value="yes">Sign out</button>'
  render(ctx, 'Sign out', `${form}${yes}`)
}

/** A page that says one thing. */
export function messagePage(ctx: Context, title: string, message: string): void {
  render(ctx, title, `<p>${escapeHtml(message)}</p>`)
}

function submit(form: string): string {
  return `<button form="${form}">Continue</button>`
}

function render(ctx: Context, title: string, body: string): void {
  ctx.set('Content-Security-Policy', contentSecurityPolicy)
  ctx.set('Cache-Control', 'no-store')
  ctx.type = 'html'
  ctx.body = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>body{font:1.1em system-ui;max-width:30em;margin:4em auto}</style>
<h1>${title}</h1>${body}<p><small>Latchkey development issuer</small></p></html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
