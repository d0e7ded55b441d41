// An hour passes, for all that has an end: it is made that much older where it is stored.

import { request } from 'node:http'

const HOUR = 3_600_000
const TIMES = ['expires_at', 'page_until', 'readable_until', 'held_until']

export async function later({ cloud }) {
  for (const TableName of [cloud.TABLE_FLOWS, cloud.TABLE_CONNECTIONS]) {
    const { Items } = await dynamodb(cloud, 'Scan', { TableName })
    for (const item of Items) await dynamodb(cloud, 'PutItem', { TableName, Item: older(item) })
  }
}

function older(item) {
  const aged = { ...item }
  for (const name of TIMES.filter((name) => item[name])) aged[name] = { N: String(Number(item[name].N) - HOUR) }
  if (item.doc) {
    const doc = JSON.parse(item.doc.S)
    aged.doc = { S: JSON.stringify({ ...doc, created_at: doc.created_at - HOUR }) }
  }
  return aged
}

/** A call as a program makes it: `fetch` says that it is a page's, and no page may. */
function dynamodb({ AWS_ENDPOINT_URL_DYNAMODB: url, AWS_ACCESS_KEY_ID: id }, operation, body) {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    authorization: `AWS4-HMAC-SHA256 Credential=${id}/20261121/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0`,
  }
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', headers }, async (response) => {
      const text = (await response.toArray()).join('')
      if (response.statusCode === 200) resolve(JSON.parse(text))
      else reject(new Error(`${operation}: ${response.statusCode} ${text}`))
    })
    call.on('error', reject)
    call.end(JSON.stringify(body))
  })
}
