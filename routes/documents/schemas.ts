import { Type } from 'typebox'
import { defaultCollection, limits } from '../../src/documents/document.ts'
import type { DocumentData, DocumentInput } from '../../src/documents/document.ts'
import { idempotencyKeyForm } from '../../src/documents/idempotency.ts'

const collection = {
  pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
  description: 'The name of the list that the document is in.'
}

const data = Type.Unsafe<DocumentData>({
  type: 'object',
  additionalProperties: true,
  description:
    `Any JSON object, returned as it came: up to ${limits.dataBytes} bytes and ${limits.dataDepth} levels. ` +
    'Numbers that a double does not keep are refused; send them as strings.'
})

const example = {
  id: '01994f3a-7c11-7d2e-9b7a-0c4f5d1e2a3b',
  collection: 'notes',
  data: { title: 'Groceries', done: false },
  createdAt: '2026-09-14T08:30:00.000Z',
  updatedAt: '2026-09-14T08:30:00.000Z'
}

const document = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    collection: Type.String(collection),
    data,
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' })
  },
  {
    $id: 'Document',
    additionalProperties: false,
    description: 'A document of the caller.',
    examples: [example]
  }
)

const documentInput = Type.Object(
  { collection: Type.Optional(Type.String({ ...collection, default: defaultCollection })), data },
  {
    $id: 'DocumentInput',
    additionalProperties: false,
    description: 'What a client decides of a document.',
    examples: [{ collection: example.collection, data: example.data }]
  }
)

const documentPatch = Type.Object(
  {
    collection: Type.Optional(Type.Union([Type.String(collection), Type.Null()])),
    data: Type.Optional(data)
  },
  {
    $id: 'DocumentPatch',
    additionalProperties: false,
    description: 'A JSON Merge Patch (RFC 7396) of a DocumentInput: null deletes a member.',
    examples: [{ data: { done: true, title: null } }]
  }
)

const documentPage = Type.Object(
  {
    items: Type.Array(Type.Ref('Document')),
    next: Type.Optional(
      Type.String({ description: 'The cursor of the next page; absent on the last one.' })
    )
  },
  {
    $id: 'DocumentPage',
    additionalProperties: false,
    description: 'Documents of the caller, newest first.',
    examples: [{ items: [example] }]
  }
)

const documentChange = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    deleted: Type.Boolean({ description: 'Whether the document is gone.' }),
    etag: Type.Optional(Type.String({ description: 'The ETag of the document, if it lives.' })),
    document: Type.Optional(Type.Ref('Document')),
    deletedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it was deleted, if it was.' })
    )
  },
  {
    $id: 'DocumentChange',
    additionalProperties: false,
    description: 'The last change of a document: its new state, or its deletion.'
  }
)

const documentChanges = Type.Object(
  {
    items: Type.Array(Type.Ref('DocumentChange')),
    next: Type.String({ description: 'What to send as `since` to go on, now or later.' })
  },
  {
    $id: 'DocumentChanges',
    additionalProperties: false,
    description: 'What changed, in the order of the changes.',
    examples: [
      {
        items: [
          { id: example.id, deleted: false, etag: '"7"', document: example },
          {
            id: '01994f39-0a52-7b0c-8d4e-5f6a7b8c9d0e',
            deleted: true,
            deletedAt: '2026-09-14T08:31:00.000Z'
          }
        ],
        next: 'OC4wLkZ4b0Y'
      }
    ]
  }
)

/** The schemas that the routes of documents share, to be added to the instance. */
export const sharedSchemas = [
  document,
  documentInput,
  documentPatch,
  documentPage,
  documentChange,
  documentChanges
]

const noQuery = Type.Object({}, { additionalProperties: false })
const params = Type.Object({ id: Type.String({ description: 'The UUID of the document.' }) })
const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: limits.maximumPageSize,
    default: limits.pageSize,
    description: 'The most items to return.'
  })
)

const condition = (description: string) => Type.Optional(Type.String({ description }))
const ifMatch = condition('The ETag of the document as last read; required for changes.')

const etag = Type.String({ description: 'The version of the document: a strong entity tag.' })
const location = Type.String({ format: 'uri', description: 'The address of the new document.' })
const link = Type.String({ description: 'The next page, as `rel="next"`, if there is one.' })

const shared = { tags: ['documents'], querystring: noQuery }
const input = Type.Unsafe<DocumentInput>(Type.Ref('DocumentInput'))

/** `GET /documents` */
export const listDocuments = {
  ...shared,
  operationId: 'listDocuments',
  summary: 'List your documents, newest first',
  querystring: Type.Object(
    {
      limit,
      cursor: Type.Optional(Type.String({ description: '`next` of the page before.' })),
      collection: Type.Optional(Type.String(collection))
    },
    { additionalProperties: false }
  ),
  response: { 200: answer('A page of documents', 'DocumentPage', { Link: link }) }
}

/** `GET /admin/documents` */
export const listDocumentsOf = {
  operationId: 'listDocumentsOf',
  summary: 'List the documents of an owner, newest first',
  tags: ['administration'],
  querystring: Type.Object(
    {
      ...listDocuments.querystring.properties,
      owner: Type.String({
        pattern: '^[^|]+[|].',
        description: 'Issuer, a bar, subject: `https://id.example.com|ada`.'
      }),
      kind: Type.Optional(
        Type.Enum(['user', 'client'], {
          description: 'A user, the default, or a client that acts for itself under this subject.'
        })
      )
    },
    { additionalProperties: false }
  ),
  response: listDocuments.response
}

/** `GET /documents/changes` */
export const readChanges = {
  ...shared,
  operationId: 'readChanges',
  summary: 'Read what changed since a cursor, deletions included',
  description:
    'No change is skipped, whoever writes at the same time; a document that changed twice may appear once, ' +
    'with its last state. Deletions are remembered for 90 days: a cursor from before gets 410.',
  querystring: Type.Object(
    {
      limit,
      since: Type.Optional(
        Type.String({
          description: '`next` of an earlier answer; absent or empty: from the beginning.'
        })
      )
    },
    { additionalProperties: false }
  ),
  response: { 200: answer('Changes, oldest first', 'DocumentChanges', { Link: link }) }
}

/** `POST /documents` */
export const createDocument = {
  ...shared,
  operationId: 'createDocument',
  summary: 'Create a document',
  headers: Type.Object({
    'Idempotency-Key': Type.Optional(
      Type.String({
        pattern: idempotencyKeyForm.source,
        description:
          'A string in double quotes, of 1 to 255 characters, new for each creation. A repetition with the same ' +
          'key and body within 24 hours creates nothing and gets the first answer again.',
        examples: ['"8e03978e-40d5-43dd-bc93-6894a57f9324"']
      })
    )
  }),
  body: input,
  response: { 201: answer('Created', 'Document', { ETag: etag, Location: location }) }
}

/** `GET /documents/{id}` */
export const getDocument = {
  ...shared,
  operationId: 'getDocument',
  summary: 'Read a document',
  params,
  headers: Type.Object({
    'If-Match': condition('The only ETags to read; any other is answered by 412.'),
    'If-None-Match': condition('ETags that the client has.')
  }),
  response: {
    200: answer('The document', 'Document', { ETag: etag }),
    304: empty('The client has this version', { ETag: etag })
  }
}

/** `PUT /documents/{id}` */
export const putDocument = {
  ...shared,
  operationId: 'putDocument',
  summary: 'Replace a document, or create it under an id of your own',
  params,
  headers: Type.Object({
    'If-Match': ifMatch,
    'If-None-Match': condition('`*` to create a document that must not exist yet.')
  }),
  body: input,
  response: {
    200: answer('Replaced', 'Document', { ETag: etag }),
    201: answer('Created', 'Document', { ETag: etag, Location: location })
  }
}

/** `PATCH /documents/{id}` */
export const patchDocument = {
  ...shared,
  operationId: 'patchDocument',
  summary: 'Change parts of a document',
  params,
  headers: Type.Object({ 'If-Match': ifMatch }),
  body: Type.Ref('DocumentPatch'),
  response: { 200: answer('Changed', 'Document', { ETag: etag }) }
}

/** `DELETE /documents/{id}` */
export const deleteDocument = {
  ...shared,
  operationId: 'deleteDocument',
  summary: 'Delete a document',
  params,
  headers: Type.Object({ 'If-Match': ifMatch }),
  response: { 204: empty('Deleted') }
}

function answer(description: string, schema: string, headers: Record<string, unknown>) {
  return { description, headers, content: { 'application/json': { schema: Type.Ref(schema) } } }
}

function empty(description: string, headers?: Record<string, unknown>) {
  return { type: 'null', description, ...(headers && { headers }) }
}
