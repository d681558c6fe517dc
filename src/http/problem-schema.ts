import { Type } from 'typebox'

/** The schema of a problem document (RFC 9457 section 3), shared under the name `Problem`. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({
      format: 'uri',
      description: 'The stable name of the kind of problem; compare this, not the title.'
    }),
    title: Type.String({
      description: 'The kind of problem in words; the same for each occurrence.'
    }),
    status: Type.Integer({
      minimum: 400,
      maximum: 599,
      description: 'The HTTP status of this answer.'
    }),
    detail: Type.Optional(Type.String({ description: 'What went wrong this time.' })),
    instance: Type.Optional(
      Type.String({
        format: 'uri-reference',
        description: 'The id of the request, as in the log of the service.'
      })
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          detail: Type.String({ description: 'What is wrong.' }),
          pointer: Type.String({
            description: 'Where: a JSON Pointer (RFC 6901) into the content of the request.'
          })
        }),
        { description: 'Every fault that was found in the content of the request.' }
      )
    )
  },
  { $id: 'Problem', description: 'A problem document (RFC 9457).' }
)
