"""Maps identities with the official Python SDK (PyPI uid2-client) for TestPythonSDK.

Standard input: a JSON object with base_url, api_key, client_secret, emails, phones, email_hashes, phone_hashes.
Standard output: {"mapped": {input: [uid, previous or null, refresh_from in Unix seconds]},
"unmapped": {input: [the SDK's reason, the operator's word]}}, or {"http_status": n} for a refused request.
"""
import json
import sys
import urllib.error

from uid2_client import IdentityMapV3Client, IdentityMapV3Input

job = json.load(sys.stdin)
client = IdentityMapV3Client(job["base_url"], job["api_key"], job["client_secret"])
asked = (
    IdentityMapV3Input.from_emails(job["emails"])
    .with_phones(job["phones"])
    .with_hashed_emails(job["email_hashes"])
    .with_hashed_phones(job["phone_hashes"])
)
try:
    answer = client.generate_identity_map(asked)
except urllib.error.HTTPError as e:
    json.dump({"http_status": e.code}, sys.stdout)
    sys.exit(0)

json.dump(
    {
        "mapped": {
            dii: [m.current_raw_uid, m.previous_raw_uid, int(m.refresh_from.timestamp())]
            for dii, m in answer.mapped_identities.items()
        },
        "unmapped": {dii: [u.reason.name, u.raw_reason] for dii, u in answer.unmapped_identities.items()},
    },
    sys.stdout,
)
