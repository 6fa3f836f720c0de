"""The notification demo: users come page by page, and each that wants news gets an e-mail.

`workflow.yaml` and `actions.py` are the demo: a folder to copy and change. The rest gives it
something to talk to: `people` says which users there are and how their mailboxes take mail,
`users_server` lists them over HTTP, and `mail_server` takes the mail, each in a process of its own.
`smtp` is the protocol of the latter, and `mail_log` what it writes down.
"""
