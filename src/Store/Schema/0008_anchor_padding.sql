-- The hashes between the leaves of a batch's tree, in the order of their places, 32 bytes each; NULL: there are none. leaf_count has them
-- in it, leaf_index leaves their places free.
ALTER TABLE batches ADD COLUMN padding $blob$;
