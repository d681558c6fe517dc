interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** What a browser does with cookies and redirects, as far as an issuer on loopback sees it. */
export function createBrowser(issuer: string) {
  const cookies = new Map<string, { pair: string; path: string }>()

  async function request(url: string, form?: Record<string, string>): Promise<Response> {
    const { pathname } = new URL(url)
    const sent = [...cookies.values()].filter(({ path }) => pathname.startsWith(path))
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: sent.map(({ pair }) => pair).join('; '), accept: 'text/html' },
      ...(form && { method: 'POST', body: new URLSearchParams(form) })
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ')
      const path = attributes.find((attribute) => attribute.startsWith('path='))?.slice(5) ?? '/'
      cookies.set(`${pair.split('=')[0]} ${path}`, { pair, path })
    }
    return response
  }

  /** Opens a page, or sends a form, and follows redirects until a page is shown or the issuer is left. */
  async function open(url: string, form?: Record<string, string>): Promise<Page> {
    const response = await request(url, form)
    const body = await response.text()
    const location = response.headers.get('location')
    const target = location === null ? url : new URL(location, url).href
    if (location !== null && target.startsWith(issuer)) return open(target)
    return { url: target, status: response.status, headers: response.headers, body }
  }

  return { open }
}

/** The hidden and visible inputs of the form on a page. */
export function inputsOf(html: string): Record<string, string> {
  const inputs = [...html.matchAll(/<input[^>]*>/g)].map(([tag]) => [
    /name="([^"]*)"/.exec(tag)?.[1] ?? '',
    /value="([^"]*)"/.exec(tag)?.[1] ?? ''
  ])
  return Object.fromEntries(inputs) as Record<string, string>
}
