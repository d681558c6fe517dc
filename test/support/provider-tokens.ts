import type { PresetName } from '../../src/issuer/presets.ts'

/** A token as a provider makes it: what differs from the test issuer's; `undefined` takes a member out. */
export interface ProviderToken {
  readonly typ?: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
}

/** What a provider's documentation and source say of its tokens, and what is to be understood of them. */
export interface ProviderTokens {
  /** The audience that is configured. */
  readonly audience: string
  readonly access: ProviderToken
  /** What `/whoami` and the guards have to make of it. */
  readonly understood: {
    readonly client: string
    readonly scopes: string[]
    readonly roles: string[]
    /** Of `access`; variants may have another. */
    readonly tokenId?: string
  }
  /** Other forms in which it makes access tokens, with what differs from `access`. */
  readonly variants?: Readonly<Record<string, ProviderToken>>
  /** Tokens of the same issuer, key and audience that are no access tokens for this API. */
  readonly others: Readonly<Record<string, ProviderToken>>
}

const bare = { client_id: undefined, scope: undefined, jti: undefined }
const now = Math.floor(Date.now() / 1000)
const objectId = '6f4e5b1c-9d0b-4e43-8f57-2b1a7c3d9e10'
const project = '283746190284562435'

/** The claims that make an ID token, and nothing but an ID token, of one. */
const signIn = { ...bare, auth_time: now, nonce: 'n-0S6_WzA2Mj', at_hash: '77QmUPtjPfzWtF2AnpK9RQ' }

const keycloak: ProviderTokens = {
  audience: 'documents-api',
  access: {
    typ: 'JWT',
    claims: {
      ...bare,
      jti: 'onrtac:7f1c',
      aud: ['documents-api', 'account'],
      typ: 'Bearer',
      azp: 'app',
      sid: '5a1b',
      acr: '1',
      realm_access: { roles: ['offline_access', 'uma_authorization'] },
      resource_access: {
        'documents-api': { roles: ['admin'] },
        'other-api': { roles: ['owner'] },
        account: { roles: ['manage-account'] }
      },
      scope: 'openid email documents:read'
    }
  },
  understood: {
    client: 'app',
    scopes: ['openid', 'email', 'documents:read'],
    roles: ['offline_access', 'uma_authorization', 'admin'],
    tokenId: 'onrtac:7f1c'
  },
  variants: {
    'with "use at+jwt as access token header type"': { typ: 'at+jwt', claims: {} },
    'with "use lower-case bearer type"': { typ: 'JWT', claims: { typ: 'bearer' } }
  },
  others: {
    'an ID token': { typ: 'JWT', claims: { ...signIn, typ: 'ID', azp: 'app', scope: 'openid' } },
    'an ID token with no more marks than its typ': {
      typ: 'JWT',
      claims: { ...bare, typ: 'ID', azp: 'app', scope: 'openid' }
    },
    'a refresh token': { typ: 'JWT', claims: { typ: 'Refresh', azp: 'app' } },
    'an offline token': { typ: 'JWT', claims: { typ: 'Offline', azp: 'app' } },
    'a logout token': { typ: 'JWT', claims: { ...bare, typ: 'Logout', sid: '5a1b' } },
    'a permission ticket': { typ: 'JWT', claims: { typ: 'UPT', azp: 'app' } },
    'a token without a kind': { typ: 'JWT', claims: { azp: 'app' } },
    'a token for another client': {
      typ: 'JWT',
      claims: { typ: 'Bearer', azp: 'app', aud: 'account' }
    }
  }
}

const auth0: ProviderTokens = {
  audience: 'https://api.example.com',
  access: {
    typ: 'JWT',
    claims: {
      ...bare,
      sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
      aud: ['https://api.example.com', 'https://tenant.auth0.com/userinfo'],
      azp: 'app',
      scope: 'openid profile documents:read',
      permissions: ['admin', 'documents:read']
    }
  },
  understood: {
    client: 'app',
    scopes: ['openid', 'profile', 'documents:read'],
    roles: ['admin', 'documents:read']
  },
  variants: {
    'of the RFC 9068 profile': {
      typ: 'at+jwt',
      claims: { azp: undefined, client_id: 'app', jti: 'a1' }
    },
    'of client credentials': {
      typ: 'JWT',
      claims: { sub: 'app@clients', gty: 'client-credentials', aud: 'https://api.example.com' }
    }
  },
  others: {
    'an ID token': { typ: 'JWT', claims: { ...signIn, aud: 'app', sid: '5a1b' } },
    'an ID token of a client named as the API': { typ: 'JWT', claims: { ...bare, sid: '5a1b' } },
    'a logout token': {
      typ: 'logout+jwt',
      claims: { ...bare, events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }
    }
  }
}

const okta: ProviderTokens = {
  audience: 'api://default',
  access: {
    claims: {
      ...bare,
      ver: 1,
      jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
      cid: 'app',
      uid: '00uid4BxXw6I6TV4m0g3',
      scp: ['openid', 'documents:read'],
      groups: ['Everyone', 'admin'],
      auth_time: now
    }
  },
  understood: {
    client: 'app',
    scopes: ['openid', 'documents:read'],
    roles: ['Everyone', 'admin'],
    tokenId: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE'
  },
  others: {
    'an ID token': {
      claims: { ...signIn, aud: 'app', ver: 1, jti: 'ID.a', amr: ['pwd'], idp: '00o' }
    },
    'an ID token of a client named as the API': {
      claims: { ...bare, ver: 1, jti: 'ID.b', amr: ['pwd'], idp: '00o', auth_time: now }
    },
    'a token of the org authorization server': {
      typ: 'application/okta-internal-at+jwt',
      claims: { ...bare, cid: 'app', scp: ['openid'] }
    }
  }
}

const entraUser = {
  ...bare,
  ver: '2.0',
  tid: objectId,
  oid: objectId,
  uti: '4n6RbVX9',
  sub: 'AAAp'
}

const entra: ProviderTokens = {
  audience: '0d4c9f1e-2b7a-4c11-9a53-1f0e8d7c6b5a',
  access: {
    typ: 'JWT',
    claims: {
      ...entraUser,
      azp: 'app',
      azpacr: '0',
      scp: 'access_as_user documents:read',
      roles: ['admin'],
      groups: [objectId]
    }
  },
  understood: {
    client: 'app',
    scopes: ['access_as_user', 'documents:read'],
    roles: ['admin'],
    tokenId: '4n6RbVX9'
  },
  variants: {
    'of version 1': { typ: 'JWT', claims: { ver: '1.0', azp: undefined, appid: 'app' } }
  },
  others: {
    'an ID token': { typ: 'JWT', claims: { ...entraUser, ...signIn, at_hash: undefined } },
    'an ID token without a nonce, of a client that is the API itself': {
      typ: 'JWT',
      claims: { ...entraUser, roles: ['admin'], preferred_username: 'ada@example.com' }
    }
  }
}

const cognito: ProviderTokens = {
  audience: '1example23456789',
  access: {
    claims: {
      ...bare,
      aud: undefined,
      'cognito:groups': ['admin'],
      client_id: '1example23456789',
      origin_jti: 'aaaaaaaa-bbbb',
      event_id: '64f513be',
      token_use: 'access',
      scope: 'openid documents:read',
      auth_time: now,
      jti: 'aaaaaaaa-cccc',
      username: 'ada'
    }
  },
  understood: {
    client: '1example23456789',
    scopes: ['openid', 'documents:read'],
    roles: ['admin'],
    tokenId: 'aaaaaaaa-cccc'
  },
  variants: { 'bound to this API by resource': { claims: { aud: '1example23456789' } } },
  others: {
    'an ID token': {
      claims: { ...signIn, 'cognito:groups': ['admin'], token_use: 'id', aud: '1example23456789' }
    },
    'a token without a use': { claims: { aud: undefined, client_id: '1example23456789' } },
    'a token of another client': {
      claims: { aud: undefined, client_id: 'other', token_use: 'access' }
    },
    'a token of this client for another API': {
      claims: { aud: 'https://b.example', client_id: '1example23456789', token_use: 'access' }
    },
    'a token whose audience is null': {
      claims: { aud: null, client_id: '1example23456789', token_use: 'access' }
    }
  }
}

const zitadel: ProviderTokens = {
  audience: project,
  access: {
    typ: 'JWT',
    claims: {
      ...bare,
      aud: ['app', project],
      azp: 'app',
      jti: 'V2_283746190284562436-at_283746190284627972',
      [`urn:zitadel:iam:org:project:${project}:roles`]: { admin: { '2837': 'acme.example.com' } },
      'urn:zitadel:iam:org:project:999:roles': { owner: { '2837': 'acme.example.com' } },
      'urn:zitadel:iam:org:project:roles': { owner: { '2837': 'acme.example.com' } }
    }
  },
  understood: {
    client: 'app',
    scopes: [],
    roles: ['admin'],
    tokenId: 'V2_283746190284562436-at_283746190284627972'
  },
  others: {
    'an ID token': { typ: 'JWT', claims: { ...signIn, aud: ['app', project], azp: 'app' } },
    'an ID token of a client without a nonce': {
      typ: 'JWT',
      claims: { ...bare, aud: ['app', project], azp: 'app', client_id: 'app', amr: ['pwd'] }
    }
  }
}

const authentikUser = { ...bare, acr: 'goauthentik.io/providers/oauth2/default', amr: ['pwd'] }

const authentik: ProviderTokens = {
  audience: 'V8p2cXqTn0',
  access: {
    typ: 'JWT',
    claims: {
      ...authentikUser,
      auth_time: now,
      nonce: 'n-0S6_WzA2Mj',
      sid: '5a1b',
      groups: ['admin'],
      azp: 'V8p2cXqTn0',
      uid: 'c2V1fbYy7o'
    }
  },
  understood: { client: 'V8p2cXqTn0', scopes: [], roles: ['admin'], tokenId: 'c2V1fbYy7o' },
  variants: {
    'of a sign-in without a nonce': { typ: 'JWT', claims: { nonce: undefined } }
  },
  others: {
    'an ID token': { typ: 'JWT', claims: { ...authentikUser, ...signIn, groups: ['admin'] } },
    'an ID token without a nonce and at_hash': { typ: 'JWT', claims: authentikUser },
    'an ID token that names its client': {
      typ: 'JWT',
      claims: { ...authentikUser, azp: 'V8p2cXqTn0' }
    },
    'an ID token whose claims a mapping made alike': {
      typ: 'JWT',
      claims: { ...authentikUser, ...signIn, azp: 'V8p2cXqTn0', uid: 'x' }
    }
  }
}

const logto: ProviderTokens = {
  audience: 'https://api.example.com',
  access: {
    typ: 'at+jwt',
    claims: { client_id: 'app', scope: 'documents:read' }
  },
  understood: { client: 'app', scopes: ['documents:read'], roles: [] },
  others: {
    'an ID token': { typ: undefined, claims: { ...signIn, aud: 'app' } },
    'an ID token of a client named as the API': { typ: 'JWT', claims: bare },
    'an organization token': {
      typ: 'at+jwt',
      claims: { aud: 'urn:logto:organization:abc', organization_id: 'abc' }
    }
  }
}

/** By preset; Google is left out, which has ID tokens alone that an API could verify: see id-tokens.test.ts. */
export const providerTokens: Readonly<Record<Exclude<PresetName, 'google'>, ProviderTokens>> = {
  keycloak,
  auth0,
  okta,
  entra,
  cognito,
  zitadel,
  authentik,
  logto
}
