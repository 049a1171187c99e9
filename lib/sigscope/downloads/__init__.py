"""Pictures behind URLs: one (fetch.fetch_picture), or a list of a million (run.download).

Only http and https, only addresses of the public internet, never more bytes, pixels, redirects or
seconds than Limits says; a picture is what decodes as one, whatever its server calls it.
"""
