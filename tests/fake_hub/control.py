"""The test's own door, /-fake-hub/ on the API port: never logged as a Hub request, never bent by faults.

GET log[?port=cdn] · DELETE log · GET state · PUT faults (a fault script) · POST release · POST expire_urls ·
POST update (an update, README.md) · POST reload (repositories built by another process)
"""

import json

from .httpd import Response


def control(hub, request, entry, what):
    entry["port"] = "control"
    call = (request.method, what)
    try:
        if call == ("GET", "log"):
            port = request.params().get("port", [None])[-1]
            return _json([e for e in hub.requests(port) if e["port"] != "control"])
        if call == ("DELETE", "log"):
            hub.log.clear()
        elif call == ("GET", "state"):
            return _json({"rules": hub.faults.state(), "updates": hub.updates_done, "endpoint": hub.endpoint, "cdn": hub.cdn_endpoint,
                          "repos": [f"{r.kind}s/{r.id}" for r in hub.store.repos()]})
        elif call == ("PUT", "faults"):
            hub.faults.load(json.loads(request.body or b"{}"))
        elif call == ("POST", "release"):
            hub.release()
        elif call == ("POST", "expire_urls"):
            hub.expire_urls()
        elif call == ("POST", "update"):
            return _json({"result": hub.run_update(json.loads(request.body))})
        elif call == ("POST", "reload"):
            hub.store.load()
        else:
            return Response(404, body=b"no such control call\n")
    except (ValueError, KeyError, TypeError) as error:
        return Response(400, body=f"{error}\n".encode())
    return _json({})


def _json(value):
    return Response(200, headers=[("Content-Type", "application/json")], body=json.dumps(value).encode())
