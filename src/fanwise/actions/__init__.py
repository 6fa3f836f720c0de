"""Sources of actions: the decorator, their registry, the loading of packs, and the core pack.

An adapter: it turns what authors write into `fanwise.catalog.ActionSpec`s, and never runs one. This
package imports nothing, so that `import fanwise` stays cheap.
"""
