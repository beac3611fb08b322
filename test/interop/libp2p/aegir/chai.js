import * as chai from "chai";
import chaiAsPromised from "chai-as-promised";

chai.use(chaiAsPromised);
chai.use(({ Assertion }) => {
  Assertion.addMethod("equalBytes", function equalBytes(expected) {
    const hex = (bytes) => Buffer.from(bytes).toString("hex");
    new Assertion(hex(this._obj)).to.equal(hex(expected));
  });
});

export const { assert, expect } = chai;
