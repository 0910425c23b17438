"""A server of files."""
import http.server


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `cut` in a name breaks off halfway."""

    requests = []

    def log_message(self, *args):
        self.requests.append(self.path)

    def copyfile(self, source, target):
        data = source.read()
        size = len(data) // 2 if 'cut' in self.path else len(data)
        target.write(data[:size])
