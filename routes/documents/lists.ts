import type { FastifyRequest } from 'fastify'

/** May be stored by the client alone, and is asked about each time (RFC 9111 sections 5.2.2.4, 5.2.2.7). */
export const cacheControl = 'private, no-cache'

/** Query parameters are text: makes `limit` the number that its schema asks for, if it is one. */
export async function readLimit({ query }: FastifyRequest): Promise<void> {
  const parameters = query as Record<string, unknown>
  const { limit } = parameters
  if (typeof limit === 'string' && /^\d+$/.test(limit)) parameters['limit'] = Number(limit)
}

/** A Link field (RFC 8288) that leads to the next page of the same list. */
export function nextLink(
  address: string,
  query: Readonly<Record<string, string | number>>
): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value))
  return `<${address}?${parameters.toString()}>; rel="next"`
}
