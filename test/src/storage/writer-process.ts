// Writes documents of one owner to the database that the first argument names, as many as the second
// says, and prints the id of each once it is acknowledged. Run by database.test.ts.
import { openDocuments } from '../../../src/documents/documents.ts'
import { openDatabase } from '../../../src/storage/database.ts'

const [, , url = '', count = ''] = process.argv
const storage = await openDatabase(url)
const documents = await openDocuments(storage)
const owner = { issuer: 'https://id.example.com', subject: 'ada', kind: 'user' } as const
for (let index = 0; index < Number(count); index++) {
  const { document } = await documents.create(owner, { data: { index } })
  process.stdout.write(`${document.id}\n`)
}
await storage.close()
