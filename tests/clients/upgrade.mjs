// Asks a server to change to another protocol. One JSON line: the status, the protocol that was agreed, and what came
// back of the word that was sent in it.
import { request } from 'node:https'
import { readFileSync } from 'node:fs'

const { url, headers, cert, key, ca, protocol } = JSON.parse(process.argv[2])
const asked = request(url, {
  agent: false,
  cert: readFileSync(cert),
  key: readFileSync(key),
  ca: readFileSync(ca),
  headers: {
    ...headers,
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: protocol,
    'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA',
    'sec-websocket-version': '13',
    // The sample of RFC 6455 section 1.3.
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  },
})

function tell(answer) {
  console.log(JSON.stringify(answer))
  process.exit(0)
}

asked.setTimeout(10_000, () => tell({ status: 'silent' }))
asked.on('error', (error) => tell({ status: String(error.code ?? error) }))
asked.on('upgrade', (response, socket, head) => {
  let heard = head.toString()
  const done = () => tell({ status: response.statusCode, protocol: response.headers.upgrade, heard })
  socket.on('data', (data) => {
    heard += data
    if (heard.includes('ping')) done()
  })
  socket.on('end', done)
  socket.write('ping')
})
asked.on('response', async (response) => {
  let body = ''
  for await (const part of response) body += part
  tell({ status: response.statusCode, body })
})
asked.end()
