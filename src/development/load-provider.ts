import { DevelopmentIssuerError } from './errors.ts'

const missing =
  'The development issuer needs the package oidc-provider, which a production install leaves out: ' +
  'set OIDC_ISSUER to the issuer to trust, or install the development dependencies with npm ci'

/** What this folder takes of oidc-provider. */
export type OidcProvider = Awaited<ReturnType<typeof importModules>>

/**
 * Loads oidc-provider, which is a development dependency: only here, and only when it is asked for.
 * @throws {DevelopmentIssuerError} with one line that says what to do when it isn't installed
 */
export async function loadOidcProvider(): Promise<OidcProvider> {
  try {
    return await importModules()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new DevelopmentIssuerError(missing, { cause })
  }
}

async function importModules() {
  const [{ Provider }, { createMemoryAdapter }, { CustomOIDCProviderError, SessionNotFound }] =
    await Promise.all([
      import('oidc-provider/lib/provider.js'),
      import('oidc-provider/lib/adapters/memory_adapter.js'),
      import('oidc-provider/lib/helpers/errors.js')
    ])
  return { Provider, createMemoryAdapter, CustomOIDCProviderError, SessionNotFound }
}
