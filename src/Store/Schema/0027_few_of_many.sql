-- What each start looks for: records that are indexed by other definitions than those of now (the number is IndexRows.Definitions).
CREATE INDEX resources_unindexed ON resources (rid) WHERE indexed <> 3 AND deleted = 0;

-- Records that an earlier version alone makes a patient's.
CREATE INDEX resources_former ON resources (rid) WHERE patients LIKE '%~%';
